{#-
  Refuse, before anything is written, a Spark whose sessions have other settings than the project's SQL goes by. The embedded
  Spark has them, and the target `cluster` asks for them; a server may have been told otherwise.
    spark.sql.variable.substitute false: a landed name may hold `${name}`, and an environment variable's value, a secret
      maybe, would stand in the catalog. Literals alone cannot keep it out: Delta parses the condition of `replace where`
      once more (4.3.1).
    spark.sql.ansi.enabled false: what is no number is null, and not an error that fails the other rows with it.
    spark.sql.session.timeZone UTC: a landed time without an offset is UTC.
-#}
{% macro check_session() %}
    {%- if execute -%}
        {%- for name, value, otherwise in [
            ('spark.sql.variable.substitute', 'false', 'puts variables in the place of ${name} in statements, and what lands may hold such texts'),
            ('spark.sql.ansi.enabled', 'false', 'fails a whole statement for one text that is no number'),
            ('spark.sql.session.timeZone', 'UTC', 'takes times without an offset for those of another zone'),
        ] -%}
            {%- set said = run_query('set ' ~ name)[0][1] -%}
            {%- if said | lower != value | lower -%}
                {% do exceptions.raise_compiler_error(
                    'Spark of the target ' ~ target.name ~ ' ' ~ otherwise ~ ': set ' ~ name ~ ' to ' ~ value
                    ~ ' there, in its configuration or in the server_side_parameters of the target, with set:hiveconf: before its'
                    ~ ' name where that is a Thrift Server.'
                ) %}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}
