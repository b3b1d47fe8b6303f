// Asks the server: one view of the store, or the events of a channel. The token is in the path of this page, so relative
// addresses have it.

const BUSY = 503;
const TRIES = 5;

const address = (action, parameters) => {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined) query.set(name, value);
  }
  return `api/${action}?${query}`;
};

/** Resolves to a view; rejects with a message for the user. `signal` gives it up. */
export async function ask(action, parameters = {}, signal = undefined) {
  for (let tries = 1; ; tries++) {
    const response = await fetch(address(action, parameters), { signal }).catch((error) => {
      if (error.name === 'AbortError') throw error;
      throw new Error('The inspector does not answer: it has ended. Start it again.');
    });
    if (response.ok) return response.json();
    if (response.status === BUSY && tries < TRIES) {
      await new Promise((resolve) => setTimeout(resolve, 200 * tries));
      continue;
    }
    const { error } = await response.json().catch(() => ({ error: 'no answer' }));
    throw new Error(response.status === 431 ? 'The name is too long to be asked for.' : error);
  }
}

/** Calls `onEvent(event)` for each event of a channel and `onEnd()` if the server ends them; returns a function that stops. */
export function watch(name, onEvent, onEnd) {
  const source = new EventSource(address('events', { name }));
  source.addEventListener('message', ({ data }) => onEvent(JSON.parse(data)));
  source.addEventListener('error', () => {
    source.close();
    onEnd();
  });
  return () => source.close();
}
