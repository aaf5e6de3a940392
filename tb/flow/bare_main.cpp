// The model alone, without Python: runs `tb_top` for a number of nanoseconds and prints what that took.
//
//   tb_top NANOSECONDS        prints {"sim_ns": ..., "wall_s": ...}

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "Vtop.h"
#include "verilated.h"

int main(int argc, char **argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s NANOSECONDS\n", argv[0]);
        return 2;
    }
    const auto context = std::make_unique<VerilatedContext>();
    context->commandArgs(argc, argv);
    const auto model = std::make_unique<Vtop>(context.get(), "");
    // The design's precision, known once there is a model, decides what one step of time is.
    uint64_t steps_per_ns = 1;
    for (int exponent = context->timeprecision(); exponent < -9; ++exponent) steps_per_ns *= 10;
    const uint64_t end = std::strtoull(argv[1], nullptr, 0) * steps_per_ns;
    const auto started = std::chrono::steady_clock::now();
    while (!context->gotFinish()) {
        model->eval();
        if (!model->eventsPending() || model->nextTimeSlot() > end) break;
        context->time(model->nextTimeSlot());
    }
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - started;
    std::printf("{\"sim_ns\": %llu, \"wall_s\": %.6f}\n",
                static_cast<unsigned long long>(context->time() / steps_per_ns), wall.count());
    model->final();
    return 0;
}
