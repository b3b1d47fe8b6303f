'use strict';
/** What is pushed: a chat message of an ordinary length. `n` tells pushes apart. */

const TEXT = 'a chat message of an ordinary length';

const message = (n) => ({ n, text: TEXT, from: 'chat-1' });

module.exports = { TEXT, message };
