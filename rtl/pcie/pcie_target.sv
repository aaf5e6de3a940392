// Requests from the host in, register accesses in between, completions out.
//
// One request is held at a time and taken apart into one-DW accesses on the register bus. A memory read of BAR1
// may have any length: it is answered in completions that end at 128-byte boundaries. A memory write may have any
// length, too. DWs of a write without an enabled byte reach no slave.
//
//   answered UR   type 1 configuration, locked read (as CplLk), atomic and deferrable requests, an address outside
//                 the enabled BARs, a function number other than 0, an I/O or configuration request that is not one
//                 DW long, a poisoned write
//   dropped       posted writes under the same conditions; messages, completions, unknown types (without an error)
//
// A base address register of 0 or all ones decodes nothing (PCI-BAR-05).
// Ordering: a completion is presented only while no posted TLP waits on tx_req; the completion of a configuration
// write that leaves bus master off also waits until no DMA TLP is on tx_req (VPCI-STAT-28).

module pcie_target
  import pcie_pkg::*;
  import virtio_pci_pkg::*;
#(
  parameter int unsigned DataWidth = 256,
  parameter int unsigned Bar0Size  = 64     // bytes, power of two, 4..256
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,

  // Requests from the host.
  input  logic                 rx_req_valid_i,
  output logic                 rx_req_ready_o,
  input  logic [127:0]         rx_req_hdr_i,
  input  logic [DataWidth-1:0] rx_req_data_i,
  input  logic                 rx_req_last_i,

  // Completions to the host.
  output logic                 tx_cpl_valid_o,
  input  logic                 tx_cpl_ready_i,
  output logic [127:0]         tx_cpl_hdr_o,
  output logic [DataWidth-1:0] tx_cpl_data_o,
  output logic                 tx_cpl_last_o,

  // Register bus: one access at a time, valid held until the slave's one-clock rsp_valid.
  output reg_req_t             reg_req_o,
  output logic                 cfg_req_valid_o,
  input  logic                 cfg_rsp_valid_i,
  input  logic [31:0]          cfg_rsp_rdata_i,
  output logic                 io_req_valid_o,
  input  logic                 io_rsp_valid_i,
  input  logic [31:0]          io_rsp_rdata_i,
  output logic                 mem_req_valid_o,
  input  logic                 mem_rsp_valid_i,
  input  logic [31:0]          mem_rsp_rdata_i,

  // From config_space.
  input  logic                 io_enable_i,
  input  logic                 mem_enable_i,
  input  logic                 bus_master_i,
  input  logic [31:0]          bar0_base_i,
  input  logic [31:0]          bar1_base_i,

  // From pcie_initiator.
  input  logic                 posted_blocked_i,  // a posted TLP is presented and not taken this clock
  input  logic                 dma_presented_i,   // a beat of an MRd or MWr is presented

  output logic [15:0]          function_id_o,     // captured bus and device, function 0
  output pcie_error_t          error_o
);

  localparam int unsigned Lanes     = DataWidth / 32;
  localparam int unsigned LaneBits  = $clog2(Lanes);
  localparam int unsigned ChunkBits = 5;          // completions end at 2**5 DW boundaries

  typedef enum logic [2:0] {
    StIdle,    // waits for the first beat of a request
    StDecode,
    StAccess,  // one DW on the register bus
    StBeat,    // fetches the next payload beat of a write
    StSend,    // presents a completion beat
    StDrain    // swallows the rest of a request's payload
  } state_e;

  typedef logic [10:0] dw_count_t;

  state_e               state_d, state_q;
  logic [127:0]         hdr_q;
  logic [DataWidth-1:0] data_q;       // payload beat of a write, completion beat of a read
  logic                 last_q;       // the last beat of the request has been taken
  logic [9:0]           dw_addr_q;    // DW within the space
  dw_count_t            dw_left_q;    // DWs still to access
  logic                 first_dw_q;
  logic [LaneBits-1:0]  lane_q;
  logic                 unsupported_q;
  dw_count_t            chunk_left_q; // DWs still to access for the current completion
  logic                 sent_first_q; // the current completion's first beat has gone
  logic [12:0]          bytes_left_q; // byte count of the current completion
  logic [6:0]           lower_addr_q; // lower address of the current completion

  // Header of the held request.

  logic [1:0]  fmt;
  logic [4:0]  kind;
  logic [3:0]  first_be, last_be;
  dw_count_t   length;
  logic        has_data, prefix;

  assign prefix   = hdr_q[127];
  assign fmt      = hdr_q[126:125];
  assign kind     = hdr_q[124:120];
  assign length   = {hdr_q[105:96] == '0, hdr_q[105:96]};
  assign last_be  = hdr_q[71:68];
  assign first_be = hdr_q[67:64];
  assign has_data = fmt[1];

  // Header fields that change nothing here: TLP hints, digest, address type, tag bits 9 and 8.
  logic unused_hdr;
  assign unused_hdr = ^{hdr_q[119], hdr_q[115], hdr_q[113:111], hdr_q[107:106]};

  // Decode.

  logic        is_config, is_io, is_memory, is_posted, is_non_posted, is_poisoned;
  logic        io_hit, mem_hit, supported;
  logic [63:0] address;

  assign address = fmt[0] ? hdr_q[63:0] : {32'h0, hdr_q[63:32]};

  always_comb begin
    is_config     = !prefix && !fmt[0] && kind == TypeConfig0;
    is_io         = !prefix && !fmt[0] && kind == TypeIo;
    is_memory     = !prefix && kind == TypeMemory;
    is_posted     = is_memory && has_data;
    is_non_posted = 1'b0;
    if (!prefix) begin
      unique case (kind)
        TypeMemory:                                                 is_non_posted = !has_data;
        TypeMemoryLocked:                                           is_non_posted = !has_data;
        TypeIo, TypeConfig0, TypeConfig1:                           is_non_posted = !fmt[0];
        TypeFetchAdd, TypeSwap, TypeCompareSwap, TypeDeferrable:    is_non_posted = has_data;
        default:                                                    is_non_posted = 1'b0;
      endcase
    end
    is_poisoned = !prefix && has_data && hdr_q[110];
  end

  localparam logic [31:0] Bar0Mask = ~(32'(Bar0Size) - 32'd1);
  localparam logic [31:0] Bar1Mask = 32'hffff_f000;

  function automatic logic hits(logic [31:0] addr, logic [31:0] base, logic [31:0] mask);
    return (addr & mask) == base && base != '0 && base != mask;
  endfunction

  assign io_hit  = io_enable_i && hits(address[31:0], bar0_base_i, Bar0Mask) && length == dw_count_t'(1);
  assign mem_hit = mem_enable_i && address[63:32] == '0 && hits(address[31:0], bar1_base_i, Bar1Mask) &&
                   {1'b0, address[11:2]} + length <= dw_count_t'(1024);

  always_comb begin
    supported = 1'b0;
    if (is_config) supported = hdr_q[50:48] == '0 && length == dw_count_t'(1);
    if (is_io)     supported = io_hit;
    if (is_memory) supported = mem_hit;
    if (is_poisoned) supported = 1'b0;
  end

  // Byte positions of a read's first and last enabled byte; a read without any counts one byte at 0.

  function automatic logic [1:0] lowest(logic [3:0] be);
    return be[0] ? 2'd0 : be[1] ? 2'd1 : be[2] ? 2'd2 : be[3] ? 2'd3 : 2'd0;
  endfunction

  function automatic logic [1:0] highest(logic [3:1] be);
    return be[3] ? 2'd3 : be[2] ? 2'd2 : be[1] ? 2'd1 : 2'd0;
  endfunction

  logic        is_memory_read;
  logic [12:0] byte_count;
  logic [6:0]  lower_addr;
  dw_count_t   to_boundary, first_chunk, next_chunk;
  logic [12:0] chunk_bytes_q;

  assign is_memory_read = !prefix && !has_data && (kind == TypeMemory || kind == TypeMemoryLocked);

  always_comb begin
    byte_count = 13'd4;
    lower_addr = '0;
    if (is_memory_read) begin
      lower_addr = {address[6:2], lowest(first_be)};
      byte_count = {length, 2'b00} - 13'(lowest(first_be)) -
                   13'(2'd3 - highest((length == dw_count_t'(1)) ? first_be[3:1] : last_be[3:1]));
    end
  end

  assign to_boundary = dw_count_t'(2 ** ChunkBits) - dw_count_t'(address[ChunkBits+1:2]);
  assign first_chunk = (length < to_boundary) ? length : to_boundary;
  assign next_chunk  = (dw_left_q < dw_count_t'(2 ** ChunkBits)) ? dw_left_q : dw_count_t'(2 ** ChunkBits);

  // The access.

  logic        rsp_valid, step, data_end, chunk_end;
  logic [3:0]  be;
  logic [31:0] rsp_rdata;
  logic        skip;

  assign rsp_valid = cfg_rsp_valid_i || io_rsp_valid_i || mem_rsp_valid_i;
  assign rsp_rdata = is_config ? cfg_rsp_rdata_i : is_io ? io_rsp_rdata_i : mem_rsp_rdata_i;
  assign be        = first_dw_q ? first_be : (dw_left_q == dw_count_t'(1)) ? last_be : 4'b1111;
  assign skip      = has_data && be == '0;
  assign step      = state_q == StAccess && (rsp_valid || skip);
  assign data_end  = dw_left_q == dw_count_t'(1);
  assign chunk_end = chunk_left_q == dw_count_t'(1);

  assign reg_req_o = '{write: has_data, addr: {dw_addr_q, 2'b00}, be: be, wdata: data_q[32*lane_q +: 32]};
  assign cfg_req_valid_o = state_q == StAccess && is_config && !skip;
  assign io_req_valid_o  = state_q == StAccess && is_io && !skip;
  assign mem_req_valid_o = state_q == StAccess && is_memory && !skip;

  // State.

  logic   taken, cpl_taken, may_complete;
  state_e finished;

  assign rx_req_ready_o = state_q == StIdle || state_q == StBeat || state_q == StDrain;
  assign taken          = rx_req_valid_i && rx_req_ready_o;
  assign cpl_taken      = tx_cpl_valid_o && tx_cpl_ready_i;
  assign may_complete   = sent_first_q ||
                          (!posted_blocked_i && !(is_config && has_data && !bus_master_i && dma_presented_i));
  assign finished       = last_q ? StIdle : StDrain;

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      StIdle: if (taken) state_d = StDecode;

      StDecode: begin
        if (supported)          state_d = StAccess;
        else if (is_non_posted) state_d = StSend;
        else                    state_d = finished;
      end

      StAccess: begin
        if (step && has_data) begin
          if (data_end)                            state_d = is_posted ? finished : StSend;
          else if (lane_q == LaneBits'(Lanes - 1)) state_d = last_q ? StIdle : StBeat;
        end else if (step && (chunk_end || lane_q == LaneBits'(Lanes - 1))) begin
          state_d = StSend;
        end
      end

      StBeat: if (taken) state_d = StAccess;

      StSend: begin
        if (cpl_taken) begin
          if (has_data || unsupported_q || dw_left_q == '0) state_d = finished;
          else                                              state_d = StAccess;
        end
      end

      StDrain: if (taken && rx_req_last_i) state_d = StIdle;

      default: state_d = StIdle;
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= StIdle;
      hdr_q   <= '0;
      last_q  <= 1'b0;
    end else begin
      state_q <= state_d;
      if (taken) begin
        last_q <= rx_req_last_i;
        if (state_q == StIdle) hdr_q <= rx_req_hdr_i;
      end
    end
  end

  // Position within the request.

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      data_q        <= '0;
      dw_addr_q     <= '0;
      dw_left_q     <= '0;
      first_dw_q    <= 1'b0;
      lane_q        <= '0;
      unsupported_q <= 1'b0;
    end else if (taken) begin
      data_q <= rx_req_data_i;
      lane_q <= '0;
    end else if (state_q == StDecode) begin
      dw_addr_q     <= is_config ? hdr_q[43:34] : is_io ? 10'(address[11:2] & ~Bar0Mask[11:2]) : address[11:2];
      dw_left_q     <= length;
      first_dw_q    <= 1'b1;
      unsupported_q <= !supported;
      if (!has_data) data_q <= '0;
    end else if (step) begin
      if (!has_data) data_q[32*lane_q +: 32] <= rsp_rdata;
      dw_addr_q  <= dw_addr_q + 10'd1;
      dw_left_q  <= dw_left_q - dw_count_t'(1);
      first_dw_q <= 1'b0;
      lane_q     <= lane_q + LaneBits'(1);
    end else if (cpl_taken && !has_data) begin
      data_q <= '0;
      lane_q <= '0;
    end
  end

  // Completions. Each ends at a ChunkBits boundary; a request other than a memory read has one.

  logic chunk_sent;

  assign chunk_sent = cpl_taken && tx_cpl_last_o;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      chunk_left_q  <= '0;
      chunk_bytes_q <= '0;
      bytes_left_q  <= '0;
      lower_addr_q  <= '0;
      sent_first_q  <= 1'b0;
    end else if (state_q == StDecode) begin
      chunk_left_q  <= first_chunk;
      chunk_bytes_q <= {first_chunk, 2'b00} - 13'(lower_addr[1:0]);
      bytes_left_q  <= byte_count;
      lower_addr_q  <= lower_addr;
      sent_first_q  <= 1'b0;
    end else if (step) begin
      chunk_left_q  <= chunk_left_q - dw_count_t'(1);
    end else if (chunk_sent) begin
      chunk_left_q  <= next_chunk;
      chunk_bytes_q <= {next_chunk, 2'b00};
      bytes_left_q  <= bytes_left_q - chunk_bytes_q;
      lower_addr_q  <= '0;
      sent_first_q  <= 1'b0;
    end else if (cpl_taken) begin
      sent_first_q  <= 1'b1;
    end
  end

  logic         with_data, cpl_last;
  logic [9:0]   cpl_length;
  logic [127:0] cpl_hdr;

  assign with_data  = !has_data && !unsupported_q;
  assign cpl_last   = !with_data || chunk_left_q == '0;
  // chunk_bytes_q counts from the first enabled byte; its DWs are those up to the boundary or the end.
  assign cpl_length = with_data ? 10'((chunk_bytes_q + 13'(lower_addr_q[1:0])) >> 2) : '0;

  assign cpl_hdr = {
    1'b0, with_data ? 2'b10 : 2'b00, (kind == TypeMemoryLocked) ? TypeCompletionLock : TypeCompletion,
    1'b0, hdr_q[118:116], 1'b0, hdr_q[114], 2'b00, 2'b00, hdr_q[109:108], 2'b00, cpl_length,
    function_id_o, unsupported_q ? CplUnsupportedRequest : CplSuccess, 1'b0, bytes_left_q[11:0],
    hdr_q[95:80], hdr_q[79:72], 1'b0, lower_addr_q,
    32'h0
  };

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      tx_cpl_valid_o <= 1'b0;
      tx_cpl_hdr_o   <= '0;
      tx_cpl_data_o  <= '0;
      tx_cpl_last_o  <= 1'b0;
    end else if (cpl_taken) begin
      tx_cpl_valid_o <= 1'b0;
    end else if (state_q == StSend && !tx_cpl_valid_o && may_complete) begin
      tx_cpl_valid_o <= 1'b1;
      tx_cpl_hdr_o   <= sent_first_q ? '0 : cpl_hdr;
      tx_cpl_data_o  <= with_data ? data_q : '0;
      tx_cpl_last_o  <= cpl_last;
    end
  end

  // Identity and errors.

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) function_id_o <= '0;
    else if (state_q == StDecode && is_config && !is_poisoned) function_id_o <= {hdr_q[63:51], 3'b000};
  end

  always_comb begin
    error_o = '0;
    if (state_q == StDecode) begin
      error_o.poisoned            = is_poisoned;
      error_o.unsupported_request = (is_non_posted && !supported) || (is_posted && !is_poisoned && !mem_hit);
    end
  end

endmodule
