"""Sans-IO protocol state: bytes in, events out. No socket, clock or log lives here."""
