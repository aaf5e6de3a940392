// Turns a client's byte streams into memory write TLPs (DESIGN: MPS and 4 KiB rules, byte enables).
//
// A request for [addr, addr + len) comes with ceil(len / BeatBytes) beats, its bytes contiguous from bits 7:0. They are
// shifted to their place in address-aligned rows and kept in a row buffer. TLPs end at multiples of Max_Payload_Size,
// so each starts in its own row, and a TLP is offered only when all its rows are there. Disabled bytes are 0.
//
// While cancelling_i is high nothing new starts, a TLP already on its way to the pins is finished, everything else is
// thrown away, and data offered by the client is swallowed.

module dma_write
  import pcie_pkg::*;
#(
  parameter int unsigned DataWidth = 256
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,

  input  dma_len_t             max_payload_i,
  input  logic                 cancelling_i,
  output logic                 busy_o,

  // Client.
  input  logic                 req_valid_i,
  output logic                 req_ready_o,
  input  logic [63:0]          req_addr_i,
  input  logic [31:0]          req_len_i,
  input  logic                 data_valid_i,
  output logic                 data_ready_o,
  input  logic [DataWidth-1:0] data_i,

  // Arbiter.
  output logic                 tlp_valid_o,
  output tlp_info_t            tlp_info_o,
  output logic [DataWidth-1:0] tlp_data_o,
  output logic                 tlp_last_o,
  output logic                 tlp_request_end_o,
  input  logic                 tlp_taken_i,
  input  logic                 tlp_locked_i
);

  localparam int unsigned BeatBytes = DataWidth / 8;
  localparam int unsigned ByteBits  = $clog2(BeatBytes);
  localparam int unsigned Rows      = 2 * MaxDmaBytes / BeatBytes;  // two of the largest TLPs
  localparam int unsigned RowBits   = $clog2(Rows);
  localparam int unsigned Requests  = 4;

  typedef logic [RowBits-1:0] row_t;
  typedef logic [RowBits:0]   row_count_t;

  typedef struct packed {
    logic [63:0] addr;
    logic [31:0] len;
  } request_t;

  logic flush;
  assign flush = cancelling_i && !tlp_locked_i;

  // Alignment: client beats to rows.

  logic                 row_valid, align_busy;
  logic [DataWidth-1:0] row;
  logic                 request_room, accept;

  assign accept      = req_valid_i && req_ready_o;
  assign req_ready_o = request_room && !align_busy && !cancelling_i;

  row_count_t rows_used_q;   // written and not yet freed
  logic       buffer_full;
  assign buffer_full = rows_used_q == row_count_t'(Rows);

  dma_write_align #(.DataWidth(DataWidth)) u_align (
    .clk_i,
    .rst_ni,
    .clear_i      (cancelling_i),
    .start_i      (accept),
    .offset_i     (req_addr_i[ByteBits-1:0]),
    .len_i        (req_len_i),
    .busy_o       (align_busy),
    .data_valid_i,
    .data_ready_o,
    .data_i,
    .row_valid_o  (row_valid),
    .row_ready_i  (!buffer_full),
    .row_o        (row)
  );

  // Requests whose TLPs are still to be formed.

  request_t [Requests-1:0]         requests_q;
  logic     [$clog2(Requests)-1:0] request_head_q, request_tail_q;
  logic     [$clog2(Requests):0]   request_count_q;
  logic                            request_take;

  assign request_room = request_count_q != ($clog2(Requests)+1)'(Requests);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      requests_q      <= '0;
      request_head_q  <= '0;
      request_tail_q  <= '0;
      request_count_q <= '0;
    end else if (flush) begin
      request_head_q  <= '0;
      request_tail_q  <= '0;
      request_count_q <= '0;
    end else begin
      if (accept) begin
        requests_q[request_tail_q] <= '{addr: req_addr_i, len: req_len_i};
        request_tail_q             <= request_tail_q + 1'b1;
      end
      if (request_take) request_head_q <= request_head_q + 1'b1;
      request_count_q <= request_count_q + ($clog2(Requests)+1)'(accept) - ($clog2(Requests)+1)'(request_take);
    end
  end

  // Splitting: the next TLP of the current request.

  logic        split_busy_q;
  logic [63:0] split_addr_q;
  logic [31:0] split_left_q;

  dma_len_t    chunk;
  logic        chunk_end, split_step;
  row_count_t  chunk_rows;
  row_count_t  rows_ready_q;   // written and not yet given to a TLP
  logic        row_written;

  assign chunk      = chunk_bytes(split_addr_q[DmaLenWidth-2:0], max_payload_i, split_left_q);
  assign chunk_end  = 32'(chunk) == split_left_q;
  assign chunk_rows = row_count_t'(((DmaLenWidth+1)'(split_addr_q[ByteBits-1:0]) + (DmaLenWidth+1)'(chunk) +
                                    (DmaLenWidth+1)'(BeatBytes - 1)) >> ByteBits);

  // One formed TLP waits while the one before it is read out of the row buffer.
  logic       next_valid_q, next_end_q, next_take;
  tlp_info_t  next_info_q;
  row_count_t next_rows_q;

  assign split_step   = split_busy_q && (!next_valid_q || next_take) && rows_ready_q >= chunk_rows && !cancelling_i;
  assign request_take = request_count_q != '0 && (!split_busy_q || (split_step && chunk_end)) && !cancelling_i;
  assign row_written  = row_valid && !buffer_full;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      split_busy_q <= 1'b0;
      split_addr_q <= '0;
      split_left_q <= '0;
    end else if (flush) begin
      split_busy_q <= 1'b0;
    end else if (request_take) begin
      split_busy_q <= 1'b1;
      split_addr_q <= requests_q[request_head_q].addr;
      split_left_q <= requests_q[request_head_q].len;
    end else if (split_step) begin
      split_busy_q <= !chunk_end;
      split_addr_q <= split_addr_q + 64'(chunk);
      split_left_q <= split_left_q - 32'(chunk);
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      next_valid_q <= 1'b0;
      next_end_q   <= 1'b0;
      next_info_q  <= '0;
      next_rows_q  <= '0;
      rows_ready_q <= '0;
    end else if (flush) begin
      next_valid_q <= 1'b0;
      rows_ready_q <= '0;
    end else begin
      if (split_step) begin
        next_valid_q <= 1'b1;
        next_end_q   <= chunk_end;
        next_info_q  <= memory_request(1'b1, split_addr_q, chunk, 8'h00);
        next_rows_q  <= chunk_rows;
      end else if (next_take) begin
        next_valid_q <= 1'b0;
      end
      rows_ready_q <= rows_ready_q + row_count_t'(row_written) - (split_step ? chunk_rows : '0);
    end
  end

  // Read-out: the rows of one TLP, rotated so that its first DW comes first.

  logic row_free;
  row_count_t freed_rows;
  row_t write_row_q;

  dma_write_readout #(.DataWidth(DataWidth), .Rows(Rows)) u_readout (
    .clk_i,
    .rst_ni,
    .clear_i       (flush),
    .row_valid_i   (row_written),
    .row_addr_i    (write_row_q),
    .row_i         (row),
    .next_valid_i  (next_valid_q),
    .next_info_i   (next_info_q),
    .next_end_i    (next_end_q),
    .next_rows_i   (next_rows_q),
    .next_take_o   (next_take),
    .free_o        (row_free),
    .free_rows_o   (freed_rows),
    .tlp_valid_o,
    .tlp_info_o,
    .tlp_data_o,
    .tlp_last_o,
    .tlp_request_end_o,
    .tlp_taken_i
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      write_row_q <= '0;
      rows_used_q <= '0;
    end else if (flush) begin
      write_row_q <= '0;
      rows_used_q <= '0;
    end else begin
      if (row_written) write_row_q <= write_row_q + 1'b1;
      rows_used_q <= rows_used_q + row_count_t'(row_written) - (row_free ? freed_rows : '0);
    end
  end

  assign busy_o = align_busy || request_count_q != '0 || split_busy_q || next_valid_q || rows_used_q != '0 ||
                  tlp_valid_o;

endmodule
