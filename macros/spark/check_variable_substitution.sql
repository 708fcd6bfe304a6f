{#-
  Refuse, before anything is written, a Spark that puts variables in the place of `${name}` in statements: a landed name may
  hold such a text, and an environment variable's value, a secret maybe, would stand in the catalog. The embedded Spark does
  not. Literals alone cannot keep it out: Delta parses the condition of `replace where` once more (4.3.1).
-#}
{% macro check_variable_substitution() %}
    {%- if execute and run_query('set spark.sql.variable.substitute')[0][1] | lower == 'true' -%}
        {% do exceptions.raise_compiler_error(
            'Spark of the target ' ~ target.name ~ ' puts variables in the place of ${name} in statements, and what lands may hold'
            ~ ' such texts: set spark.sql.variable.substitute to false there, in its configuration or in the'
            ~ ' server_side_parameters of the target.'
        ) %}
    {%- endif -%}
{% endmacro %}
