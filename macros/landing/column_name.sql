{#-
  The name of a table's column for a landed name, the same wherever and whenever it is asked.

  A name of lower-case letters a-z, digits and underscores, with a letter first and at most 64 characters, is the
  column's name as it is. Any other is cleaned (lower case, every run of other characters an underscore) and ends in
  eight digits of its own hash, so that no two landed names ever share a column; so does a name that one of the
  project's own columns has, and one that could be taken for a cleaned name.
-#}
{% macro column_name(name) %}
    {%- set is_plain = modules.re.match('[a-z][a-z0-9_]{0,63}\\Z', name)
        and not modules.re.search('_[0-9a-f]{8}\\Z', name) and name not in own_columns() -%}
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
