"""The server side of WhatsApp on loopback, with simulated phones: for development and tests only."""
