"""Those who listen: the Python client and the `ostinato` command."""
