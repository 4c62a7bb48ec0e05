"""The native CPU kernel. Only `nestcast.nn` reaches in here."""
