# Reads a dashboard from standard input with Grafana's own model of one, and writes what that model makes of it. What the model does
# not know is missing then; a value of a wrong shape is an error.

import json
import sys

sys.path.insert(0, sys.argv[1])

from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: E402
from grafana_foundation_sdk.models.dashboard import Dashboard  # noqa: E402

print(JSONEncoder().encode(Dashboard.from_json(json.load(sys.stdin))))
