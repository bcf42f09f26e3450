// relu, relu6, sigmoid and tanh, forward and backward; the formulas are in activations.py.
//
// Threads: one for every 4 numbers, a block apart, for the reason that leaky_relu.cu gives. Bytes moved: 8 a number
// forward (read x, write y), 12 backward (read grad and y, write grad_x). exp and tanh are some 10 and 20 instructions;
// a multiprocessor of an H200 has time for about 50 a number until its next one is there, so the time is
// bytes / bandwidth for these, too.
//
// The ladder: one number a thread, then four, and in half eight, two at a time, as in leaky_relu.cu. The quicker and
// coarser __expf would save no time in float. In half there are some 25 instructions' time a number: not yet measured.
//
// A NaN stays one, as in NumPy: every comparison with it is false, so the last value of each choice is x itself.
#include "common.cuh"

extern "C" __global__ void activations_relu_forward(const stored* x, stored* y, int n) {
    map_numbers<4>(x, y, n, [](real x) { return x < 0 ? 0 : x; });
}

extern "C" __global__ void activations_relu_grad_x(const stored* grad, const stored* y, stored* grad_x, int n) {
    map_numbers<4>(grad, y, grad_x, n, [](real grad, real y) { return y > 0 ? grad : 0; });
}

extern "C" __global__ void activations_relu6_forward(const stored* x, stored* y, int n) {
    map_numbers<4>(x, y, n, [](real x) { return x < 0 ? 0 : x > 6 ? 6 : x; });
}

extern "C" __global__ void activations_relu6_grad_x(const stored* grad, const stored* y, stored* grad_x, int n) {
    map_numbers<4>(grad, y, grad_x, n, [](real grad, real y) { return y > 0 && y < 6 ? grad : 0; });
}

// Far below 0, exp becomes infinite, and 1 / infinity is the right 0.
extern "C" __global__ void activations_sigmoid_forward(const stored* x, stored* y, int n) {
    map_numbers<4>(x, y, n, [](real x) { return 1 / (1 + exp(-x)); });
}

extern "C" __global__ void activations_sigmoid_grad_x(const stored* grad, const stored* y, stored* grad_x, int n) {
    map_numbers<4>(grad, y, grad_x, n, [](real grad, real y) { return grad * y * (1 - y); });
}

extern "C" __global__ void activations_tanh_forward(const stored* x, stored* y, int n) {
    map_numbers<4>(x, y, n, [](real x) { return tanh(x); });
}

extern "C" __global__ void activations_tanh_grad_x(const stored* grad, const stored* y, stored* grad_x, int n) {
    map_numbers<4>(grad, y, grad_x, n, [](real grad, real y) { return grad * (1 - y * y); });
}
