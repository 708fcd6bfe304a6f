{#-
  A seed is made in one statement, with its rows; and not again while they are the same (macros/spark/unchanged.sql).

  Why not dbt-spark's way (checked on 1.11.0): it drops the table, creates it and inserts, three commits. A reader in
  between finds no table or no rows, and a run killed there leaves it so. Seeds here are small reference data.
-#}
{% macro spark__create_csv_table(model, agate_table) %}
    {%- set types = model['config'].get('column_types', {}) -%}
    {%- set rows -%}
        {% for row in agate_table.rows -%}
        select
            {%- for name in agate_table.column_names %}
            {%- set value = row[loop.index0] %}
            cast({{ 'null' if value is none else _text_literal(value | string) }}
                as {{ types.get(name, adapter.convert_type(agate_table, loop.index0)) }}) as {{ adapter.quote(name) }}
            {{- ',' if not loop.last }}
            {%- endfor %}
        {{ 'union all' if not loop.last }}
        {% endfor %}
    {%- endset -%}
    {%- set digest = _digest(rows ~ comment_clause()) if _is_in_lake(model) -%}
    {%- if _is_made_of(load_relation(this), digest) -%}
        {{ return(rows) }}
    {%- endif -%}
    {%- if digest -%}
        {% do model.update({'properties': {'strata.made_of': digest}}) %}
    {%- endif -%}
    {%- set sql -%}
        create or replace table {{ this.render() }}
        {{ file_format_clause() }}
        {{ comment_clause() }}
        {{ tblproperties_clause() }}
        as
        {{ rows }}
    {%- endset -%}
    {%- call statement('_') -%}
        {{ sql }}
    {%- endcall -%}
    {{ return(sql) }}
{% endmacro %}


{% macro spark__reset_csv_table(model, full_refresh, old_relation, agate_table) %}
    {{ return(create_csv_table(model, agate_table)) }}
{% endmacro %}


{#- The rows are there already. -#}
{% macro spark__load_csv_rows(model, agate_table) %}
    {{ return('') }}
{% endmacro %}
