"""What happens to a message. Knows no protocol: formats and kinds reach it through the Registry that wiring builds."""
