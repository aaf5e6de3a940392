"""UVM sequences: what the guest and the traffic generators do."""
