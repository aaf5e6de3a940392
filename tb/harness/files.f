// The harness: packages first. Paths relative to the project's folder.
tb/harness/harness_pkg.sv
tb/harness/packet_source.sv
tb/harness/packet_sink.sv
tb/harness/hold_watch.sv
tb/harness/packet_tap.sv
tb/harness/packet_view.sv
tb/harness/stream_checker.sv
tb/harness/packet_channel_watch.sv
tb/harness/block_media.sv
tb/harness/tb_top.sv
tb/harness/shared_memory.cpp
tb/harness/packet_source.cpp
tb/harness/packet_tap.cpp
tb/harness/block_media.cpp
tb/harness/coverage.cpp
