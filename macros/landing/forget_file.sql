{#-
  Take out of raw all that a file gave which is not in the landing folder any more, by the path that it is known by; the next
  build takes it out of what follows. Of a daily snapshot a day is delivered again instead.
  dbt run-operation forget_file --args '{path: "events/2026/01/05/a.csv"}'
-#}
{% macro forget_file(path) %}
    {%- set where = ' where path = ' ~ _text_literal(path) -%}
    {%- set known = [] -%}
    {%- for source in _declared_sources() if source.arrives != 'daily_snapshot' and _built_relation('loaded_files') is not none -%}
        {%- if run_query('select count(*) from (' ~ _known_files(source) ~ ')' ~ where)[0][0] -%}
            {%- if run_query('select count(*) from (' ~ _listed_files(source.name) ~ ')' ~ where ~ ' and is_listed')[0][0] -%}
                {% do exceptions.raise_compiler_error(
                    'The file ' ~ path ~ ' is in the landing folder: take it away, and then have it forgotten.'
                ) %}
            {%- endif -%}
            {#- What is left half-way is found by the next load, for not all is noted then. -#}
            {% do run_query('delete from ' ~ _place_of('raw_' ~ source.name) ~ where) %}
            {% do run_query('delete from ' ~ _place_of('loaded_files') ~ where ~ " and source = '" ~ source.name ~ "'") %}
            {% do known.append(source.name) %}
        {%- endif -%}
    {%- endfor -%}
    {%- if not known -%}
        {% do exceptions.raise_compiler_error(
            'No file ' ~ path ~ ' of events or lines is known (ops.landed_files has the paths of all); of a daily snapshot deliver the'
            ~ ' day again.'
        ) %}
    {%- endif -%}
    {{ log('The file ' ~ path ~ " is forgotten: 'dbt build' takes it out of what was made of it.", info=True) }}
{% endmacro %}
