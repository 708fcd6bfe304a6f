"""dbt with nothing recorded of the run: beside dbt as it is, this tells what the record costs."""

from dbt.cli.main import cli

from strata import record

record.begin = lambda *_: ""
record.end = lambda: ""
cli()
