"""What tests, benches and drills share: a world of real parts, worker processes, and faults from outside."""
