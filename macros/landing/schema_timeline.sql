{#- The ledger of schema changes, for 'strata schema'; before the first build there is none. -#}
{% macro schema_timeline() %}
    {%- if execute and built_relation('schema_changes') is none -%}
        {% do exceptions.raise_compiler_error("There is no ledger of schema changes yet: 'dbt build' makes it.") %}
    {%- endif -%}
    {{ return(place_of('schema_changes')) }}
{% endmacro %}
