{#-
  Print the newest versions of a Delta table: number, time, operation and its figures.
  dbt run-operation versions --args '{table: stage.purchases}'
-#}
{% macro versions(table, limit=20) %}
    {%- set history = run_query('describe history ' ~ _existing_table(table) ~ ' limit ' ~ limit | int) -%}
    {% do _print_rows(history.select(['version', 'timestamp', 'operation', 'operationMetrics'])) %}
{% endmacro %}


{#-
  Print rows of a Delta table as it was, by a version's number or a time in UTC.
  dbt run-operation rows_at --args '{table: stage.purchases, version: 3}'
  dbt run-operation rows_at --args '{table: stage.purchases, timestamp: "2026-01-05 12:00:00", limit: 50}'
-#}
{% macro rows_at(table, version=none, timestamp=none, limit=20) %}
    {%- if (version is none) == (timestamp is none) -%}
        {% do exceptions.raise_compiler_error('rows_at wants either a version or a timestamp, such as {table: stage.purchases, version: 3}.') %}
    {%- endif -%}
    {%- set at = 'version as of ' ~ version | int if version is not none else 'timestamp as of ' ~ _text_literal(timestamp) -%}
    {% do _print_rows(run_query('select * from ' ~ _existing_table(table) ~ ' ' ~ at ~ ' limit ' ~ limit | int)) %}
{% endmacro %}


{#- A table's name, when it is there. -#}
{% macro _existing_table(table) %}
    {%- set parts = (table | string).split('.') -%}
    {%- set relation = load_relation(api.Relation.create(schema=parts[0], identifier=parts[1], type='table'))
        if parts | length == 2 else none -%}
    {%- if relation is none -%}
        {% do exceptions.raise_compiler_error('There is no table ' ~ table ~ ': name one as in stage.purchases.') %}
    {%- endif -%}
    {{ return(relation) }}
{% endmacro %}


{#- Print rows on the terminal, all of them. -#}
{% macro _print_rows(rows) %}
    {% do rows.print_table(max_rows=none, max_columns=none, max_column_width=60) %}
{% endmacro %}
