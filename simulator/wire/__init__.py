"""What goes over the socket: Noise frames, binary XML stanzas, protobuf fields and signatures."""
