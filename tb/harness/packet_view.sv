// The packet on one channel as signals a person can read in a wave viewer: its kind by name, address, tag and so on.
// The values stay until the next packet begins; `active_o` tells when one is on the pins.
module packet_view (
    input logic         clk_i,
    input logic         rst_ni,
    input logic         valid_i,
    input logic         ready_i,
    input logic         last_i,
    input logic [127:0] hdr_i
);
  timeunit 1ns;
  timeprecision 1ns;

  /* verilator lint_off UNUSEDSIGNAL */
  typedef enum logic [7:0] {
    Idle   = 8'hff,
    MRd    = 8'h00,
    MRdLk  = 8'h01,
    IORd   = 8'h02,
    CfgRd0 = 8'h04,
    CfgRd1 = 8'h05,
    Cpl    = 8'h0a,
    Msg    = 8'h30,
    MWr    = 8'h40,
    IOWr   = 8'h42,
    CfgWr0 = 8'h44,
    CfgWr1 = 8'h45,
    CplD   = 8'h4a,
    Other  = 8'hfe
  } kind_e;

  kind_e       kind;
  logic [63:0] name;     // the kind in ASCII, for viewers without enumerations
  logic [63:0] address;
  logic [15:0] requester;
  logic [7:0]  tag;
  logic [9:0]  length;
  logic [3:0]  first_be;
  logic [3:0]  last_be;
  logic [2:0]  status;
  logic [11:0] byte_count;
  logic [7:0]  message_code;
  logic [31:0] packets;  // begun so far

  logic        first_q;
  logic        begins;
  kind_e       kind_d;

  assign begins = valid_i && first_q;

  always_comb begin
    casez (hdr_i[127:120])
      8'b00?0_0000: kind_d = MRd;
      8'b00?0_0001: kind_d = MRdLk;
      8'b0000_0010: kind_d = IORd;
      8'b0000_0100: kind_d = CfgRd0;
      8'b0000_0101: kind_d = CfgRd1;
      8'b0000_1010: kind_d = Cpl;
      8'b0011_0???: kind_d = Msg;
      8'b01?0_0000: kind_d = MWr;
      8'b0100_0010: kind_d = IOWr;
      8'b0100_0100: kind_d = CfgWr0;
      8'b0100_0101: kind_d = CfgWr1;
      8'b0100_1010: kind_d = CplD;
      default:      kind_d = Other;
    endcase
  end

  function automatic logic [63:0] name_of(kind_e value);
    case (value)
      MRd:     return "MRd";
      MRdLk:   return "MRdLk";
      IORd:    return "IORd";
      CfgRd0:  return "CfgRd0";
      CfgRd1:  return "CfgRd1";
      Cpl:     return "Cpl";
      Msg:     return "Msg";
      MWr:     return "MWr";
      IOWr:    return "IOWr";
      CfgWr0:  return "CfgWr0";
      CfgWr1:  return "CfgWr1";
      CplD:    return "CplD";
      default: return "other";
    endcase
  endfunction

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      first_q <= 1'b1;
      packets <= '0;
    end else if (valid_i && ready_i) begin
      first_q <= last_i;
      if (first_q) packets <= packets + 1;
    end
  end

  // Follows the pins while a first beat is there, and keeps what it saw.
  always_latch begin
    if (!rst_ni) begin
      kind = Idle;
      name = "idle";
      {address, requester, tag, length, first_be, last_be, status, byte_count, message_code} = '0;
    end else if (begins) begin
      kind         = kind_d;
      name         = name_of(kind_d);
      requester    = kind_d inside {Cpl, CplD} ? hdr_i[63:48] : hdr_i[95:80];
      tag          = kind_d inside {Cpl, CplD} ? hdr_i[47:40] : hdr_i[79:72];
      length       = hdr_i[105:96];
      first_be     = hdr_i[67:64];
      last_be      = hdr_i[71:68];
      status       = hdr_i[79:77];
      byte_count   = hdr_i[75:64];
      message_code = kind_d == Msg ? hdr_i[71:64] : 8'h00;
      case (kind_d)
        CfgRd0, CfgWr0, CfgRd1, CfgWr1: address = 64'(hdr_i[43:32]);
        Cpl, CplD:                      address = 64'(hdr_i[38:32]);
        default:                        address = hdr_i[125] ? hdr_i[63:0] : 64'(hdr_i[63:32]);
      endcase
    end
  end
  /* verilator lint_on UNUSEDSIGNAL */

endmodule
