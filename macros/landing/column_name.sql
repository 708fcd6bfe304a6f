{#-
  The name of a table's column for a landed name, the same wherever and whenever it is asked.

  A name of lower-case letters a-z, digits and underscores, with a letter first and at most 64 characters, is the
  column's name as it is. Any other is cleaned (lower case, every run of other characters an underscore) and ends in
  eight digits of its own hash, so that no two landed names share a column; so does a name that could be taken for a
  cleaned one, and one among `own`, the names of the table's own columns (where not said, of all the project's).
-#}
{% macro column_name(name, own=none) %}
    {%- set own = own_columns() if own is none else own -%}
    {%- set is_plain = modules.re.match('[a-z][a-z0-9_]{0,63}\\Z', name)
        and not modules.re.search('_[0-9a-f]{8}\\Z', name) and name not in own -%}
    {%- if is_plain -%}
        {{ return(name) }}
    {%- endif -%}
    {%- set cleaned = modules.re.sub('[^a-z0-9]+', '_', name | lower).strip('_')[:50].strip('_') -%}
    {%- set start = cleaned if modules.re.match('[a-z]', cleaned) else ('column_' ~ cleaned).strip('_') -%}
    {{ return(start ~ '_' ~ local_md5(name)[:8]) }}
{% endmacro %}


{#- The names of all columns that the project's models and snapshots have by themselves, in lower case. -#}
{% macro own_columns() %}
    {%- set names = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type in ('model', 'snapshot') and node.package_name == project_name -%}
        {% do names.extend(node.columns.keys() | map('lower')) %}
    {%- endfor -%}
    {{ return(names) }}
{% endmacro %}


{#- Landed names with their columns, a list of objects with `name` and `column_name` in the same order. -#}
{% macro named_columns(names, own=none) %}
    {%- set own = own_columns() if own is none else own -%}
    {%- set columns = [] -%}
    {%- for name in names -%}
        {% do columns.append({'name': name, 'column_name': column_name(name, own)}) %}
    {%- endfor -%}
    {{ return(columns) }}
{% endmacro %}


{#- The columns of a model's table that landed names gave it (see add_columns): such a list, in the table's order. -#}
{% macro landed_columns(name) %}
    {%- set columns = [] -%}
    {%- if execute and built_relation(name) is not none -%}
        {%- for row in run_query('describe table ' ~ built_relation(name)) if (row[2] or '').startswith('landed as ') -%}
            {% do columns.append({'name': row[2][10:], 'column_name': row[0]}) %}
        {%- endfor -%}
    {%- endif -%}
    {{ return(columns) }}
{% endmacro %}


{#- The same as a query: column_name, landed_name. -#}
{% macro landed_column_names(name) -%}
    select
        cast(column_name as string) as column_name,
        cast(landed_name as string) as landed_name
    from values
        (null, null)
        {%- for column in landed_columns(name) %},
        ('{{ column.column_name }}', {{ text_literal(column.name) }})
        {%- endfor %}
        as landed_columns (column_name, landed_name)
    where column_name is not null
{%- endmacro %}
