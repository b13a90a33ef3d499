"""What is measured in the real engines: times, op support, the fastest alternatives, precision and cost."""
