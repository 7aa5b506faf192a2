"""Which units of a layer with hard gates are held for ever, whatever the inputs."""
