{#-
  The columns that landed names have in a raw table: a list of source, landed name, column name, the version of the Delta
  table that brought the column ('null' where its log has left) and the table's version now. `own` are the source's own,
  which the table has from the start.
-#}
{% macro columns_of_source(source, name, own) %}
    {%- set rows = [] -%}
    {%- if built_relation(name) is not none -%}
        {%- set history = run_query('describe history ' ~ built_relation(name) ~ ' limit 100') -%}
        {%- set newest = history[0]['version'] | int -%}
        {%- set added_in = {} -%}
        {%- for commit in history if commit['operation'] == 'ADD COLUMNS' -%}
            {%- set columns = commit['operationParameters'] | replace('\\"', '"') -%}
            {%- for column in modules.re.findall('"column":\{"name":"([a-z0-9_]+)"', columns) -%}
                {% do added_in.update({column: commit['version'] | int}) %}
            {%- endfor -%}
        {%- endfor -%}
        {%- for column in own -%}
            {% do rows.append([source, column, column, 0, newest]) %}
        {%- endfor -%}
        {%- for column in landed_columns(name) -%}
            {% do rows.append([source, column.name, column.column_name, added_in.get(column.column_name, 'null'), newest]) %}
        {%- endfor -%}
    {%- endif -%}
    {{ return(rows) }}
{% endmacro %}


{#- The same of all sources, as a query: source, landed_name, column_name, added_in, newest. -#}
{% macro columns_of_sources() -%}
    {%- set rows = [] -%}
    {%- if execute -%}
        {% do rows.extend(columns_of_source('events', 'raw_events', built_node('raw_events').config.meta.columns)) %}
        {% do rows.extend(columns_of_source('purchases', 'raw_purchases', built_node('raw_purchases').config.meta.columns)) %}
        {% do rows.extend(columns_of_source('fleet_sensors', 'raw_fleet_sensors', line_keys())) %}
    {%- endif -%}
    select
        cast(source as string) as source,
        cast(landed_name as string) as landed_name,
        cast(column_name as string) as column_name,
        cast(added_in as bigint) as added_in,
        cast(newest as bigint) as newest
    from values
        (null, null, null, null, null)
        {%- for source, landed_name, column_name, added_in, newest in rows %},
        ('{{ source }}', {{ text_literal(landed_name) }}, '{{ column_name }}', {{ added_in }}, {{ newest }})
        {%- endfor %}
        as columns (source, landed_name, column_name, added_in, newest)
    where source is not null
{%- endmacro %}


{#- What the ledger of schema changes holds before this run. -#}
{% macro known_schema_changes() -%}
    {%- if is_incremental() -%}
    select * from {{ this }}
    {%- else -%}
    select
        cast(null as string) as source,
        cast(null as string) as landed_name,
        cast(null as string) as type,
        cast(null as string) as change,
        cast(null as date) as landed_on
    where false
    {%- endif -%}
{%- endmacro %}
