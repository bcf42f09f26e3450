"""What makes the NumPy kernels fast on a CPU: worker threads and cache-sized tiles. Each idea is a file of its own."""
