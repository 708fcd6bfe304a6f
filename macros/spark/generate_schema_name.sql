{#-
  The layers' names on `local` and `prod`, and beyond one machine where no STRATA_SCHEMA_PREFIX is set; else the target's own schema is
  put before them.
-#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name is none -%}
        {{ target.schema }}
    {%- elif target.name in ('local', 'prod')
        or (target.name in ('cluster', 'databricks', 'databricks_http') and not env_var('STRATA_SCHEMA_PREFIX', '')) -%}
        {{ custom_schema_name | trim }}
    {%- else -%}
        {{ target.schema }}_{{ custom_schema_name | trim }}
    {%- endif -%}
{%- endmacro %}
