{#-
  Drop the schemas of a target that has its own, with all that is in them: `dbt run-operation drop_own_schemas --target dev`.
  A build with --defer reads what an earlier one has left there, in place of what the state tells.
-#}
{% macro drop_own_schemas() %}
    {%- set schemas = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type in ('model', 'snapshot', 'seed') and node.schema not in schemas -%}
        {%- if node.schema == node.config.schema -%}
            {% do exceptions.raise_compiler_error(
                'The target ' ~ target.name ~ ' has no schemas of its own: name one that has, as in --target dev.'
            ) %}
        {%- endif -%}
        {% do schemas.append(node.schema) %}
    {%- endfor -%}
    {%- for schema in schemas -%}
        {% do run_query('drop schema if exists ' ~ schema ~ ' cascade') %}
        {{ log('Dropped the schema ' ~ schema ~ '.', info=True) }}
    {%- endfor -%}
{% endmacro %}
