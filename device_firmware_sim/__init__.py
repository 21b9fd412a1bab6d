"""A device in software: flash slots, inference, learning, MQTT. It shares the protocol, no more."""
