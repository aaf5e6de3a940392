// What the harness and its C++ half agree on: the numbers of the streams, the pin rules, the DPI functions.
package harness_pkg;
  timeunit 1ns;
  timeprecision 1ns;

  // Widest DataWidth; narrower data lie in the low bits.
  localparam int unsigned MaxDataWidth = 512;

  // Everything with valid and ready. The order is that of `Stream` in shared_memory.h.
  typedef enum int {
    StreamRxReq    = 0,
    StreamTxCpl    = 1,
    StreamTxReq    = 2,
    StreamRxCpl    = 3,
    StreamBlkReq   = 4,
    StreamBlkWdata = 5,
    StreamBlkRdata = 6,
    StreamBlkRsp   = 7
  } stream_e;

  // Broken pin rules, as `tb/harness/faults.py` words them.
  typedef enum int {
    FaultValidInReset   = 1,
    FaultValidDropped   = 2,
    FaultPayloadChanged = 3,
    FaultStalled        = 4,
    FaultHandshakeX     = 5,
    FaultControlX       = 6,
    FaultNotAccepted    = 13
  } fault_e;

  import "DPI-C" function longint harness_open(input int data_bytes);
  import "DPI-C" function void harness_clock(input longint time_ns);
  import "DPI-C" function bit harness_wake();
  import "DPI-C" function void harness_reset();
  import "DPI-C" function bit harness_ready(input int stream);
  import "DPI-C" function int harness_accept_limit();
  import "DPI-C" function void harness_held(input int ns);
  import "DPI-C" function void harness_fault(input int stream, input int code, input int seen);

  import "DPI-C" function bit harness_source_pending(input int stream);
  import "DPI-C" function void harness_source_beat(input int stream, output bit [127:0] header,
                                                   output bit [MaxDataWidth-1:0] data, output bit last);

  import "DPI-C" function void harness_tap_beat(input int stream, input bit [127:0] header,
                                                input bit [MaxDataWidth-1:0] data, input bit last);

  import "DPI-C" function void harness_block_request(input int op, input longint sector, input int count);
  import "DPI-C" function void harness_block_write_beat(input bit [MaxDataWidth-1:0] data, input bit last);
  import "DPI-C" function bit harness_block_response_pending();
  import "DPI-C" function bit harness_block_response();
  import "DPI-C" function void harness_block_response_taken();
  import "DPI-C" function bit harness_block_read_pending();
  import "DPI-C" function void harness_block_read_beat(output bit [MaxDataWidth-1:0] data, output bit last);

endpackage
