"""What is legal in a plan but risky: `cockpit lint PLAN`. One file for each family of rules.

To add a rule: a function with `@rule(...)` in the file of its family, its name in that file's RULES, and in
`tests/plan/lint/` the smallest plan that has it and one that does not.
"""
