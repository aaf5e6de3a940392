// A function that misbehaves, around the one of rtl/. Packages first.
hostile_pkg.sv
host_watch.sv
hostile_requests.sv
hostile_function.sv
