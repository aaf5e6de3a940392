// Delivers the data of DMA reads to the client: rows of finished slots in, contiguous byte-aligned beats out.
//
// The feeder reads the rows of the oldest read as soon as that is complete; the aligner shifts them by the request's
// offset within a row. A read that failed ends its request: the feeder waits until nothing of the request is left on
// the bus, then an error beat (bytes 0, last, error) ends it; so end those behind it, whose reads were not all issued
// (broken_i). While cancelling_i is high, data are discarded, and once
// nothing is outstanding every request still open ends with such a beat; clear_i then forgets those never taken.

module dma_read_stream
  import pcie_pkg::*;
#(
  parameter int unsigned DataWidth   = 256,
  parameter int unsigned NumTags     = 8,
  parameter int unsigned PointerBits = 3,
  localparam int unsigned SlotBits   = $clog2(NumTags),
  localparam int unsigned BeatBytes  = DataWidth / 8,
  localparam int unsigned ByteBits   = $clog2(BeatBytes),
  localparam int unsigned RowBits    = DmaLenWidth - 1 - ByteBits
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic                   cancelling_i,
  input  logic                   clear_i,

  // Requests in order: how many were accepted, how many have issued all their reads; this block counts the rest.
  input  logic [PointerBits-1:0] accepted_i,
  input  logic [PointerBits-1:0] issued_i,
  input  logic                   broken_i,    // a read has failed: no more reads are issued for these requests
  output logic [PointerBits-1:0] finished_o,
  input  logic [ByteBits-1:0]    offset_i,    // of request number finished_o
  input  logic [31:0]            len_i,

  // The oldest read.
  input  logic                   head_used_i,
  input  logic                   head_done_i,
  input  logic                   head_failed_i,
  input  logic [SlotBits-1:0]    head_slot_i,
  input  logic [RowBits-1:0]     head_first_row_i,
  input  logic [RowBits-1:0]     head_last_row_i,
  input  logic [PointerBits-2:0] head_request_i,
  input  logic                   head_end_i,
  output logic                   pop_o,

  // Buffer.
  output logic                   read_o,
  output logic [SlotBits-1:0]    read_slot_o,
  output logic [RowBits-1:0]     read_row_o,
  input  logic [DataWidth-1:0]   read_data_i,

  // Client.
  output logic                   data_valid_o,
  input  logic                   data_ready_i,
  output logic [DataWidth-1:0]   data_o,
  output logic [ByteBits:0]      data_bytes_o,
  output logic                   data_last_o,
  output logic                   data_error_o
);

  typedef logic [PointerBits-1:0] pointer_t;
  typedef logic [RowBits-1:0]     row_number_t;
  typedef logic [ByteBits:0]      byte_count_t;

  pointer_t finished_q, fed_q;      // requests delivered; requests whose rows have all been read
  logic     row_take;               // the aligner consumes the row

  // Feeder.

  logic        row_valid_q, row_first_q, row_last_q, row_error_q;
  logic        in_slot_q;           // the head's first row has been read
  logic        in_request_q;        // a row of request fed_q has been read
  logic        failing_q;           // request fed_q has failed
  row_number_t row_q;

  logic        row_room, mine, slot_last, request_last, fail_end;
  row_number_t row;

  assign row_room     = !row_valid_q || row_take;
  assign mine         = head_used_i && head_request_i == fed_q[PointerBits-2:0];
  assign row          = in_slot_q ? row_q : head_first_row_i;
  assign slot_last    = row == head_last_row_i;
  assign request_last = slot_last && head_end_i;
  assign read_o       = head_done_i && !head_failed_i && !failing_q && row_room && !cancelling_i;
  assign read_slot_o  = head_slot_i;
  assign read_row_o   = row;
  assign fail_end     = (failing_q || broken_i) && !mine && issued_i != fed_q && row_room && !cancelling_i;

  always_comb begin
    pop_o = read_o && slot_last;
    if (failing_q)    pop_o = mine && head_done_i;
    if (cancelling_i) pop_o = head_done_i;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      row_valid_q  <= 1'b0;
      row_first_q  <= 1'b0;
      row_last_q   <= 1'b0;
      row_error_q  <= 1'b0;
      in_slot_q    <= 1'b0;
      in_request_q <= 1'b0;
      failing_q    <= 1'b0;
      row_q        <= '0;
      fed_q        <= '0;
    end else if (cancelling_i) begin
      row_valid_q  <= 1'b0;
      in_slot_q    <= 1'b0;
      in_request_q <= 1'b0;
      failing_q    <= 1'b0;
      if (clear_i) fed_q <= '0;
    end else begin
      if (read_o) begin
        row_valid_q  <= 1'b1;
        row_first_q  <= !in_request_q;
        row_last_q   <= request_last;
        row_error_q  <= 1'b0;
        in_slot_q    <= !slot_last;
        in_request_q <= !request_last;
        row_q        <= row + row_number_t'(1);
        if (request_last) fed_q <= fed_q + pointer_t'(1);
      end else if (fail_end) begin
        row_valid_q  <= 1'b1;
        row_first_q  <= !in_request_q;
        row_last_q   <= 1'b1;
        row_error_q  <= 1'b1;
        in_request_q <= 1'b0;
        failing_q    <= 1'b0;
        fed_q        <= fed_q + pointer_t'(1);
      end else if (row_take) begin
        row_valid_q  <= 1'b0;
      end
      if (head_done_i && head_failed_i && !failing_q) begin
        failing_q <= 1'b1;
        in_slot_q <= 1'b0;
      end
    end
  end

  // Aligner.

  logic                 tail_q;       // the request's last bytes wait in hold_q
  logic [DataWidth-1:0] hold_q;       // the row before
  logic [31:0]          left_q, left; // bytes of the request still to deliver

  logic                   straight, row_out, out_room, out, out_end, out_error;
  logic [2*DataWidth-1:0] window;
  logic [DataWidth-1:0]   shifted;
  logic                   fits;
  byte_count_t            left_bytes;

  assign left       = (row_first_q && !tail_q) ? len_i : left_q;
  assign fits       = left <= 32'(BeatBytes);
  assign left_bytes = fits ? byte_count_t'(left) : byte_count_t'(BeatBytes);
  assign out_room   = !data_valid_o || data_ready_i;
  assign row_take   = row_valid_q && !tail_q && out_room && !cancelling_i;

  // A shifted request's first row gives no beat of its own, unless it is the only one.
  assign straight = offset_i == '0 || row_first_q;
  assign row_out  = row_take && (offset_i == '0 || !row_first_q || row_last_q);
  assign out      = row_out || (tail_q && out_room && !cancelling_i);

  always_comb begin
    window = {read_data_i, hold_q};
    if (tail_q)        window = {{DataWidth{1'b0}}, hold_q};
    else if (straight) window = {{DataWidth{1'b0}}, read_data_i};
  end

  assign shifted   = DataWidth'(window >> {offset_i, 3'b000});
  assign out_error = !tail_q && row_error_q;
  assign out_end   = tail_q || (row_last_q && (fits || row_error_q));

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      tail_q <= 1'b0;
      hold_q <= '0;
      left_q <= '0;
    end else if (cancelling_i) begin
      tail_q <= 1'b0;
    end else begin
      if (row_take) hold_q <= read_data_i;
      if (row_take || out) left_q <= out ? left - 32'(BeatBytes) : left;
      if (row_out)    tail_q <= row_last_q && !out_end;
      else if (out)   tail_q <= 1'b0;
    end
  end

  // Beats to the client; while cancelling only the closing ones.

  logic close;
  assign close = cancelling_i && !head_used_i && finished_q != accepted_i && !data_valid_o;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      data_valid_o <= 1'b0;
      data_o       <= '0;
      data_bytes_o <= '0;
      data_last_o  <= 1'b0;
      data_error_o <= 1'b0;
    end else if (cancelling_i) begin
      data_valid_o <= (close || (data_valid_o && data_error_o && !data_ready_i)) && !clear_i;
      data_o       <= '0;
      data_bytes_o <= '0;
      data_last_o  <= 1'b1;
      data_error_o <= 1'b1;
    end else if (out) begin
      data_valid_o <= 1'b1;
      data_o       <= shifted;
      data_bytes_o <= out_error ? '0 : left_bytes;
      data_last_o  <= out_end;
      data_error_o <= out_error;
    end else if (data_ready_i) begin
      data_valid_o <= 1'b0;
    end
  end

  // A request is finished when its last beat enters the output register, since the aligner then needs the next one's
  // offset; while cancelling, likewise when its closing beat does.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)                                     finished_q <= '0;
    else if (clear_i)                                finished_q <= '0;
    else if (close || (out && out_end))              finished_q <= finished_q + pointer_t'(1);
  end

  assign finished_o = finished_q;

endmodule
