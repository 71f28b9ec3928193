import sys

if not sys.flags.safe_path:
    # `python -m` puts the folder it is called in first: its `secrets.py` or `probes/` must not be imported.
    del sys.path[0]

from cockpit.cli.main import main

main()
