// PCI Express constants and types of the function's bus side: TLP header fields as PCIe draws them
// (DW0 in bits 127:96, byte 0 of the drawing in bits 127:120), byte-enable helpers, error events.

package pcie_pkg;

  // A block reads the constants of its own subject only.
  /* verilator lint_off UNUSEDPARAM */

  // Fmt[2:0] and Type[4:0] of the TLPs this function sends or recognises.
  typedef enum logic [2:0] {
    Fmt3Dw     = 3'b000,
    Fmt4Dw     = 3'b001,
    Fmt3DwData = 3'b010,
    Fmt4DwData = 3'b011
  } tlp_fmt_e;

  localparam logic [4:0] TypeMemory         = 5'b00000;
  localparam logic [4:0] TypeMemoryLocked   = 5'b00001;
  localparam logic [4:0] TypeIo             = 5'b00010;
  localparam logic [4:0] TypeConfig0        = 5'b00100;
  localparam logic [4:0] TypeConfig1        = 5'b00101;
  localparam logic [4:0] TypeCompletion     = 5'b01010;
  localparam logic [4:0] TypeCompletionLock = 5'b01011;
  localparam logic [4:0] TypeFetchAdd       = 5'b01100;
  localparam logic [4:0] TypeSwap           = 5'b01101;
  localparam logic [4:0] TypeCompareSwap    = 5'b01110;
  localparam logic [4:0] TypeDeferrable     = 5'b11011;
  localparam logic [4:0] TypeMessageLocal   = 5'b10100;  // routing 100b: terminate at receiver

  localparam logic [7:0] MsgAssertIntA   = 8'h20;
  localparam logic [7:0] MsgDeassertIntA = 8'h24;

  typedef enum logic [2:0] {
    CplSuccess            = 3'b000,
    CplUnsupportedRequest = 3'b001,
    CplRetry              = 3'b010,
    CplAbort              = 3'b100
  } cpl_status_e;

  // Largest DMA request of either direction; larger Max_Payload_Size or Max_Read_Request_Size settings
  // are treated as this one. Also the size of one read buffer.
  localparam int unsigned MaxDmaBytes = 512;
  localparam int unsigned DmaLenWidth = $clog2(MaxDmaBytes) + 1;
  typedef logic [DmaLenWidth-1:0] dma_len_t;  // 0 .. MaxDmaBytes

  // Error events, one-clock pulses; config_space folds them into Status and Device Status.
  typedef struct packed {
    logic unsupported_request;     // a request was answered UR or dropped as such ...
    logic unsupported_told;        // ... its completion tells the sender, and nothing else was wrong with it
    logic unsupported_posted;      // ... it was posted, so nobody is told
    logic signalled_target_abort;  // a request was answered CA
    logic received_master_abort;   // a DMA read came back UR
    logic received_target_abort;   // a DMA read came back CA
    logic poisoned;                // any poisoned TLP was received
    logic poisoned_completion;     // ... and it was a completion of a DMA read
    logic completion_timeout;
    logic unexpected_completion;
    logic malformed_completion;
  } pcie_error_t;

  // What a memory request says besides its payload.
  typedef struct packed {
    logic        write;
    logic [63:0] address;    // DW aligned
    logic [9:0]  length;     // DW, 1..128
    logic [3:0]  first_be;
    logic [3:0]  last_be;
    logic [7:0]  tag;        // 0 for writes
  } tlp_info_t;

  // A request of the host, decoded.
  typedef logic [10:0] dw_count_t;  // 0 .. 1024

  typedef struct packed {
    logic        is_config;
    logic        is_io;
    logic        is_memory;
    logic        is_locked;
    logic        is_posted;      // a memory write
    logic        is_non_posted;  // wants a completion; neither: to be dropped
    logic        is_poisoned;
    logic        has_data;
    logic        supported;
    logic [9:0]  dw_addr;        // first DW within the space
    dw_count_t   length;
    logic [3:0]  first_be;
    logic [3:0]  last_be;
    logic [12:0] byte_count;     // of the first completion
    logic [6:0]  lower_addr;
    dw_count_t   first_chunk;    // DWs of the first completion
  } request_t;

  // Byte enables of the bytes [first, 3] of a DW.
  function automatic logic [3:0] be_from(logic [1:0] first);
    return 4'b1111 << first;
  endfunction

  // Byte enables of the bytes [0, last] of a DW.
  function automatic logic [3:0] be_up_to(logic [1:0] last);
    return 4'b1111 >> (2'd3 - last);
  endfunction

  // The memory request for the bytes [address, address + bytes), which lie within one 4 KiB page.
  function automatic tlp_info_t memory_request(logic write, logic [63:0] address, dma_len_t bytes, logic [7:0] tag);
    tlp_info_t info;
    logic [DmaLenWidth:0] dw_end;
    dw_end        = (DmaLenWidth + 1)'(address[1:0]) + (DmaLenWidth + 1)'(bytes);
    info.write    = write;
    info.address  = {address[63:2], 2'b00};
    info.length   = 10'((dw_end + (DmaLenWidth + 1)'(3)) >> 2);
    info.first_be = be_from(address[1:0]);
    info.last_be  = be_up_to(dw_end[1:0] - 2'd1);
    info.tag      = tag;
    if (info.length == 10'd1) begin
      info.first_be = info.first_be & info.last_be;
      info.last_be  = '0;
    end
    return info;
  endfunction

  // Bytes from an address to the next multiple of a power of two (the limit), and no more than are left.
  function automatic dma_len_t chunk_bytes(logic [DmaLenWidth-2:0] address, dma_len_t limit, logic [31:0] left);
    dma_len_t to_boundary;
    to_boundary = limit - (dma_len_t'(address) & (limit - dma_len_t'(1)));
    return (left < 32'(to_boundary)) ? dma_len_t'(left) : to_boundary;
  endfunction

  /* verilator lint_on UNUSEDPARAM */

endpackage
