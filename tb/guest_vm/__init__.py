"""Real guests: provisioning and booting a virtual machine against the function."""
