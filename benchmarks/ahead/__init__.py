"""Every jitted program of the project, to be compiled for devices that are not there."""
