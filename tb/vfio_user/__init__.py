"""A vfio-user server that offers any target as a PCI function to a virtual machine."""
