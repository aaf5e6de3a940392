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

  // The held request.

  request_t    request;
  dw_count_t   next_chunk;     // DWs of the completion after the current one
  logic [12:0] chunk_bytes_q;  // bytes of the current completion

  request_decode #(.Bar0Size(Bar0Size), .ChunkBits(ChunkBits)) u_decode (
    .hdr_i        (hdr_q),
    .io_enable_i,
    .mem_enable_i,
    .bar0_base_i,
    .bar1_base_i,
    .request_o    (request)
  );

  assign next_chunk = (dw_left_q < dw_count_t'(2 ** ChunkBits)) ? dw_left_q : dw_count_t'(2 ** ChunkBits);

  // The access.

  logic        rsp_valid, step, data_end, chunk_end;
  logic [3:0]  be;
  logic [31:0] rsp_rdata;
  logic        skip;

  assign rsp_valid = cfg_rsp_valid_i || io_rsp_valid_i || mem_rsp_valid_i;
  assign rsp_rdata = request.is_config ? cfg_rsp_rdata_i : request.is_io ? io_rsp_rdata_i : mem_rsp_rdata_i;
  assign be        = first_dw_q ? request.first_be : (dw_left_q == dw_count_t'(1)) ? request.last_be : 4'b1111;
  assign skip      = request.has_data && be == '0;
  assign step      = state_q == StAccess && (rsp_valid || skip);
  assign data_end  = dw_left_q == dw_count_t'(1);
  assign chunk_end = chunk_left_q == dw_count_t'(1);

  assign reg_req_o = '{write: request.has_data, addr: {dw_addr_q, 2'b00}, be: be, wdata: data_q[32*lane_q +: 32]};
  assign cfg_req_valid_o = state_q == StAccess && request.is_config && !skip;
  assign io_req_valid_o  = state_q == StAccess && request.is_io && !skip;
  assign mem_req_valid_o = state_q == StAccess && request.is_memory && !skip;

  // State.

  logic   taken, cpl_taken, dma_goes_on, may_complete;
  state_e finished;

  assign rx_req_ready_o = state_q == StIdle || state_q == StBeat || state_q == StDrain;
  assign taken          = rx_req_valid_i && rx_req_ready_o;
  assign cpl_taken      = tx_cpl_valid_o && tx_cpl_ready_i;
  assign dma_goes_on    = request.is_config && request.has_data && !bus_master_i && dma_presented_i;
  assign may_complete   = sent_first_q || (!posted_blocked_i && !dma_goes_on);
  assign finished       = last_q ? StIdle : StDrain;

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      StIdle: if (taken) state_d = StDecode;

      StDecode: begin
        if (request.supported)          state_d = StAccess;
        else if (request.is_non_posted) state_d = StSend;
        else                            state_d = finished;
      end

      StAccess: begin
        if (step && request.has_data) begin
          if (data_end)                            state_d = request.is_posted ? finished : StSend;
          else if (lane_q == LaneBits'(Lanes - 1)) state_d = last_q ? StIdle : StBeat;
        end else if (step && (chunk_end || lane_q == LaneBits'(Lanes - 1))) begin
          state_d = StSend;
        end
      end

      StBeat: if (taken) state_d = StAccess;

      StSend: begin
        if (cpl_taken) begin
          if (request.has_data || unsupported_q || dw_left_q == '0) state_d = finished;
          else                                                      state_d = StAccess;
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
      dw_addr_q     <= request.dw_addr;
      dw_left_q     <= request.length;
      first_dw_q    <= 1'b1;
      unsupported_q <= !request.supported;
      if (!request.has_data) data_q <= '0;
    end else if (step) begin
      if (!request.has_data) data_q[32*lane_q +: 32] <= rsp_rdata;
      dw_addr_q  <= dw_addr_q + 10'd1;
      dw_left_q  <= dw_left_q - dw_count_t'(1);
      first_dw_q <= 1'b0;
      lane_q     <= lane_q + LaneBits'(1);
    end else if (cpl_taken && !request.has_data) begin
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
      chunk_left_q  <= request.first_chunk;
      chunk_bytes_q <= {request.first_chunk, 2'b00} - 13'(request.lower_addr[1:0]);
      bytes_left_q  <= request.byte_count;
      lower_addr_q  <= request.lower_addr;
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

  assign with_data  = !request.has_data && !unsupported_q;
  assign cpl_last   = !with_data || chunk_left_q == '0;
  // chunk_bytes_q counts from the first enabled byte; its DWs are those up to the boundary or the end.
  assign cpl_length = with_data ? 10'((chunk_bytes_q + 13'(lower_addr_q[1:0])) >> 2) : '0;

  assign cpl_hdr = {
    1'b0, with_data ? 2'b10 : 2'b00, request.is_locked ? TypeCompletionLock : TypeCompletion,
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
    if (!rst_ni) begin
      function_id_o <= '0;
    end else if (state_q == StDecode && request.is_config && !request.is_poisoned) begin
      function_id_o <= {hdr_q[63:51], 3'b000};
    end
  end

  always_comb begin
    error_o = '0;
    if (state_q == StDecode) begin
      error_o.poisoned            = request.is_poisoned;
      error_o.unsupported_request = !request.supported &&
                                    (request.is_non_posted || (request.is_posted && !request.is_poisoned));
      error_o.unsupported_told    = error_o.unsupported_request && !request.is_posted && !request.is_poisoned;
      error_o.unsupported_posted  = error_o.unsupported_request && request.is_posted;
    end
  end

endmodule
