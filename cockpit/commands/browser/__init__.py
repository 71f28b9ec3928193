"""The screens in a browser, read-only: the server on this machine, who may enter, and the process behind the page."""
