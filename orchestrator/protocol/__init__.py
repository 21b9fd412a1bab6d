"""What server and device say to each other. Pure; the one package that both sides share."""
