{#-
  A query of the columns that landed names have in the raw tables: source, landed_name, column_name, added_in (the
  version of the Delta table that brought the column, null where its log has left) and
  newest (the table's version now).
-#}
{% macro columns_of_sources() -%}
    {%- set rows = [] -%}
    {%- for source, name, own in [
        ('events', 'raw_events', ['time', 'action']),
        ('purchases', 'raw_purchases', ['PurchaseID', 'product', 'user', 'date']),
        ('fleet_sensors', 'raw_fleet_sensors', ['truck_id', 'recorded_at']),
    ] if execute and built_relation(name) is not none -%}
        {%- set history = run_query('describe history ' ~ built_relation(name) ~ ' limit 100') -%}
        {%- set added_in = {} -%}
        {%- for commit in history if commit['operation'] == 'ADD COLUMNS' -%}
            {%- for column in modules.re.findall('"column":\{"name":"([a-z0-9_]+)"', commit['operationParameters'] | replace('\\"', '"')) -%}
                {% do added_in.update({column: commit['version'] | int}) %}
            {%- endfor -%}
        {%- endfor -%}
        {%- for column in own -%}
            {% do rows.append([source, column, column, 0, history[0]['version'] | int]) %}
        {%- endfor -%}
        {%- for column in landed_columns(name) -%}
            {% do rows.append([
                source, column.name, column.column_name, added_in.get(column.column_name, 'null'), history[0]['version'] | int
            ]) %}
        {%- endfor -%}
    {%- endfor -%}
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
