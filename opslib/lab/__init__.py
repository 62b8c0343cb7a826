"""The lab: the operated system in miniature, on loopback, in one folder (docs/lab.md).

PostgreSQL, Valkey and an AWS interface are real servers from wheels; vendors' services are stand-ins.
Only the command line and the tests import this package.
"""
