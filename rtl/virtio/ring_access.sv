// One small read or write of ring memory at a time: up to 16 bytes read, up to 8 written.
//
// The request is held until rsp_valid_o. A write is answered when the initiator has taken it over; who needs it
// on the wire waits for the initiator's wr_done. While abort_i is up every request is answered with an error.
module ring_access (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic                 abort_i,

  input  logic                 req_valid_i,
  input  logic                 req_write_i,
  input  logic [63:0]          req_addr_i,
  input  logic [4:0]           req_bytes_i,
  input  logic [63:0]          req_wdata_i,
  output logic                 rsp_valid_o,
  output logic                 rsp_error_o,
  output logic [127:0]         rsp_rdata_o,

  output logic                 rd_req_valid_o,
  input  logic                 rd_req_ready_i,
  output logic [63:0]          rd_req_addr_o,
  output logic [31:0]          rd_req_len_o,
  input  logic                 rd_data_valid_i,
  output logic                 rd_data_ready_o,
  input  logic [127:0]         rd_data_i,   // of a 64-bit data path the low half
  input  logic                 rd_data_last_i,
  input  logic                 rd_data_error_i,

  output logic                 wr_req_valid_o,
  input  logic                 wr_req_ready_i,
  output logic [63:0]          wr_req_addr_o,
  output logic [31:0]          wr_req_len_o,
  output logic                 wr_data_valid_o,
  input  logic                 wr_data_ready_i,
  output logic [63:0]          wr_data_o
);

  typedef enum logic [1:0] {StIdle, StReadData, StWriteRest, StRespond} state_e;

  state_e       state_q, state_d;
  logic         error_q, error_d;
  logic         req_left_q, req_left_d;    // of a write: the request is still to be taken
  logic         data_left_q, data_left_d;  // of a write: the data is still to be taken
  logic [127:0] rdata_q, rdata_d;
  logic         high_half_q, high_half_d;  // of a 64-bit data path: the second beat comes next

  wire start = (state_q == StIdle) & req_valid_i & ~abort_i;
  wire writing = (start & req_write_i) | (state_q == StWriteRest);

  assign rd_req_valid_o  = start & ~req_write_i;
  assign rd_req_addr_o   = req_addr_i;
  assign rd_req_len_o    = 32'(req_bytes_i);
  assign rd_data_ready_o = 1'b1;

  assign wr_req_valid_o  = writing & ~abort_i & ((state_q == StIdle) | req_left_q);
  assign wr_req_addr_o   = req_addr_i;
  assign wr_req_len_o    = 32'(req_bytes_i);
  assign wr_data_valid_o = writing & ~abort_i & ((state_q == StIdle) | data_left_q);
  assign wr_data_o       = req_wdata_i;

  assign rsp_valid_o = (state_q == StRespond);
  assign rsp_error_o = error_q;
  assign rsp_rdata_o = rdata_q;

  always_comb begin
    state_d     = state_q;
    error_d     = error_q;
    req_left_d  = req_left_q;
    data_left_d = data_left_q;
    rdata_d     = rdata_q;
    high_half_d = high_half_q;

    unique case (state_q)
      StIdle: begin
        error_d     = 1'b0;
        high_half_d = 1'b0;
        if (rd_req_valid_o & rd_req_ready_i) state_d = StReadData;
      end
      StReadData: begin
        if (rd_data_valid_i) begin
          rdata_d     = high_half_q ? {rd_data_i[63:0], rdata_q[63:0]} : rd_data_i;
          high_half_d = 1'b1;
        end
        if (rd_data_valid_i & rd_data_last_i) begin
          error_d = rd_data_error_i;
          state_d = StRespond;
        end
      end
      StRespond: state_d = StIdle;
      default: ;
    endcase

    if (writing) begin
      req_left_d  = wr_req_valid_o & ~wr_req_ready_i;
      data_left_d = wr_data_valid_o & ~wr_data_ready_i;
      state_d     = (req_left_d | data_left_d) ? StWriteRest : StRespond;
    end

    if (abort_i & (req_valid_i | (state_q != StIdle)) & (state_q != StRespond)) begin
      error_d = 1'b1;
      state_d = StRespond;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q     <= StIdle;
      error_q     <= 1'b0;
      req_left_q  <= 1'b0;
      data_left_q <= 1'b0;
      rdata_q     <= '0;
      high_half_q <= 1'b0;
    end else begin
      state_q     <= state_d;
      error_q     <= error_d;
      req_left_q  <= req_left_d;
      data_left_q <= data_left_d;
      rdata_q     <= rdata_d;
      high_half_q <= high_half_d;
    end
  end

endmodule
