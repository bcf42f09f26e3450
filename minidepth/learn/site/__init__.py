"""The lessons as web pages: ``minidepth learn build-site DIR``. They need no server, and nothing from elsewhere."""
