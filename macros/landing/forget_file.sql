{#-
  Have the next build take back all that a file gave which is not in the landing folder any more: by the path that it is
  known by, of events or fleet sensors. Of purchases a day is delivered again instead.
  dbt run-operation forget_file --args '{path: "events/2026/01/05/a.csv"}'
-#}
{% macro forget_file(path) %}
    {%- set where = ' where path = ' ~ text_literal(path) -%}
    {%- set known = [] -%}
    {%- for node in graph.nodes.values() if node.config.get('meta', {}).get('scope') == 'files_to_judge' -%}
        {%- set files = built_relation(node.name) -%}
        {%- set intake = built_relation(node.config.meta.intake) -%}
        {%- if files is not none and run_query('select count(*) from ' ~ files ~ where)[0][0] -%}
            {%- if run_query('select count(*) from ' ~ intake ~ where ~ ' and is_listed')[0][0] -%}
                {% do exceptions.raise_compiler_error(
                    'The file ' ~ path ~ ' is in the landing folder: take it away, and then have it forgotten.'
                ) %}
            {%- endif -%}
            {% do run_query('update ' ~ files ~ " set status = 'refused', reason = 'it is to be forgotten'" ~ where) %}
            {% do known.append(node.name) %}
        {%- endif -%}
    {%- endfor -%}
    {%- if not known -%}
        {% do exceptions.raise_compiler_error('No file ' ~ path ~ ' is known: ops.landed_files has the paths of all.') %}
    {%- endif -%}
    {{ log('The file ' ~ path ~ " is forgotten by the next 'dbt build'.", info=True) }}
{% endmacro %}
