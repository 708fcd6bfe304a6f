{#-
  A schema lies in the lake, wherever that is: a metastore that others use too has a place of its own for theirs
  (dbt-spark 1.11.0 leaves it to the metastore).
-#}
{% macro spark__create_schema(relation) -%}
    {%- call statement('create_schema') -%}
    create schema if not exists {{ relation }}
    location {{ _text_literal(env_var('STRATA_LAKE') ~ '/warehouse/' ~ relation.schema ~ '.db') }}
    {%- endcall -%}
{%- endmacro %}
