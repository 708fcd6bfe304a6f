{#- The columns that landed names have in the raw tables, as a query: source, landed_name, column_name, added_in, newest. -#}
{% macro columns_of_sources() -%}
    {%- set rows = [] -%}
    {#- Of a ledger to which this run adds nothing they are not asked for. -#}
    {%- set scopes = graph.get('strata_scopes', {}).get(model.unique_id, []) if execute else [] -%}
    {%- for source in _declared_sources() if execute and (not scopes or scopes | rejectattr('nothing') | list) -%}
        {% do rows.extend(_columns_of_source(source)) %}
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
        ('{{ source }}', {{ _text_literal(landed_name) }}, '{{ column_name }}', {{ added_in }}, {{ newest }})
        {%- endfor %}
        as columns (source, landed_name, column_name, added_in, newest)
    where source is not null
{%- endmacro %}


{#-
  The same of one source, a list: source, landed name, column name, the version of the Delta table that brought the column
  ('null' where its log has left) and the table's version now. The declared ones the table has from the start.
-#}
{% macro _columns_of_source(source) %}
    {%- set rows = [] -%}
    {%- set raw = _built_relation('raw_' ~ source.name) -%}
    {%- if raw is not none -%}
        {%- set history = run_query('describe history ' ~ raw ~ ' limit 100') -%}
        {%- set newest = history[0]['version'] | int -%}
        {%- set added_in = {} -%}
        {%- for commit in history if commit['operation'] == 'ADD COLUMNS' -%}
            {%- set columns = commit['operationParameters'] | replace('\\"', '"') -%}
            {%- for column in modules.re.findall('"column":\{"name":"([a-z0-9_]+)"', columns) -%}
                {% do added_in.update({column: commit['version'] | int}) %}
            {%- endfor -%}
        {%- endfor -%}
        {%- for column in source.columns -%}
            {% do rows.append([
                source.name, column.landed_name, column.name if source.arrives == 'growing_lines' else column.raw_name, 0, newest,
            ]) %}
        {%- endfor -%}
        {%- for column in landed_columns('raw_' ~ source.name) -%}
            {% do rows.append([source.name, column.name, column.column_name, added_in.get(column.column_name, 'null'), newest]) %}
        {%- endfor -%}
    {%- endif -%}
    {{ return(rows) }}
{% endmacro %}


{#- Have the ledger follow the verdicts on files, and be made after the raw tables, whose columns it asks for by name. -#}
{% macro follow_verdicts() %}
    {%- for source in _declared_sources() -%}
        {% do ref('raw_' ~ source.name) %}
        {%- if source.arrives == 'events' -%}
            {% do changes_of(ref(source.name ~ '_files')) %}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}


{#-
  The files whose rows were taken: source and path. From the tables that the ledger follows, and not from ops.landed_files:
  a run that leaves that one out would pass over what is new, for good.
-#}
{% macro accepted_files() -%}
    {%- set judged = _declared_sources() | selectattr('arrives', 'equalto', 'events') | map(attribute='name') | list -%}
    select
        source,
        path
    from {{ ref('loaded_files') }}
    where reason is null and source not in {{ _text_list(judged + ['']) }}
    {%- for name in judged %}
    union all
    select
        '{{ name }}' as source,
        path
    from {{ ref(name ~ '_files') }}
    where status = 'loaded'
    {%- endfor %}
{%- endmacro %}


{#- A condition on the name of a source: that its lines have keys that grow. -#}
{% macro is_of_growing_lines(source) -%}
    {{ source }} in {{ _text_list(_declared_sources() | selectattr('arrives', 'equalto', 'growing_lines') | map(attribute='name') | list + ['']) }}
{%- endmacro %}


{#- A condition on a row of `columns` of the ledger: a key of growing lines that is no declared one. -#}
{% macro is_growing_key() -%}
    false
    {%- for source in _declared_sources() if source.arrives == 'growing_lines' %}
    or (source = '{{ source.name }}' and landed_name not in {{ _text_list(source.columns | map(attribute='landed_name') | list) }})
    {%- endfor %}
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


{#- The ledger of schema changes, for 'strata schema'; before the first build there is none. -#}
{% macro schema_timeline() %}
    {%- set ledger = _built_relation('schema_changes') -%}
    {%- if execute and ledger is none -%}
        {% do exceptions.raise_compiler_error("There is no ledger of schema changes yet: 'dbt build' makes it.") %}
    {%- endif -%}
    {{ return(ledger) }}
{% endmacro %}
