"""What the demo, the benches and the drills share: a small world of real parts, and one shape of report."""
