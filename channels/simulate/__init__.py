"""The other parties of the reference site, for the demo and the tests: hospitals' systems, an ERP, suppliers.

Each speaks its protocol with code of its own and shares none with the engine, so that it tests us as a stranger would.
`python -m channels.simulate ehr|erp|supplier --help`, or the classes `Ehr`, `Erp` and `Supplier` inside a test.
"""
