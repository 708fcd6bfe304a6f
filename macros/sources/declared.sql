{#-
  The sources that are declared (dbt sources named `landing`, models/raw/<source>/_<source>__sources.yml), as the plugin read
  them before dbt parsed anything: python/strata/sources.py says what a declaration holds, and what each field of these
  objects is. All that the engine knows of a source, it knows from here.
-#}
{% macro _declared_sources(arrives=none) %}
    {%- set sources = [] -%}
    {%- for source in fromjson(env_var('STRATA_SOURCES', '[]')) if arrives in (none, source.arrives) -%}
        {% do sources.append(source) %}
    {%- endfor -%}
    {{ return(sources) }}
{% endmacro %}


{#- One of them, by its name; none where there is no such source. -#}
{% macro declared(name) %}
    {{ return(_declared_sources() | selectattr('name', 'equalto', name) | first | default(none)) }}
{% endmacro %}


{#- A limit of a source: the variable of its name, where that is set, for all sources or for this one, else the declaration's. -#}
{% macro _limit_of(source, name) %}
    {%- set given = var(name, none) -%}
    {%- if given is mapping -%}
        {%- set given = given.get(source.name) -%}
    {%- endif -%}
    {{ return(source.limits.get(name) if given is none else given) }}
{% endmacro %}


{#- How a message tells to let something in that a limit keeps out: by the variable, for this source. -#}
{% macro _how_to_set(source, name, value) %}
    {{ return("--vars '{" ~ name ~ ': {' ~ source.name ~ ': ' ~ value ~ "}}'") }}
{% endmacro %}


{#- The declared column that a source is keyed by, dated by or timed by; none where it is an expression, or there is none. -#}
{% macro _declared_column(source, name) %}
    {{ return(source.columns | selectattr('name', 'equalto', name) | first | default(none)) }}
{% endmacro %}
